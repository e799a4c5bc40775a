"""Where a log comes from: files, and the exports of CRMs."""
