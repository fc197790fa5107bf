"""The offline side, which the app never imports: training, measuring, building artifacts."""
