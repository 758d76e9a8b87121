$Q pick models/market | grep -A1 PICK-DETECT
