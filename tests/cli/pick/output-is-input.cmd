# case 01: the page of pick never replaces the configuration it was asked about
cp tests/golden/cases/01-output-is-input/src/config.json "$W/"; "$Q" pick "$W/config.json" --hardware laptop-16gb --md "$W/config.json" -f -q
