$Q check models/market --calib c4
