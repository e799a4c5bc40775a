"""The models room: a snapshot goes in, a forecast comes out."""
