"""The offline side, never imported by the app: training, measuring, building artifacts."""
