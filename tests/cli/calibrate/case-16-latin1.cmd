$Q calibrate models/market --lint --data tests/golden/cases/16-binary-read-as-text/latin1.txt
