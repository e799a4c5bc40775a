"""Tables in a database -> a folder of Parquet files with our names, read at one moment."""
