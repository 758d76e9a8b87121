# refused by vLLM and unknown of SGLang: pick does not send there, and explain launch says what is unknown
set -o pipefail; mkdir "$W/m"; $Q quantize models/market --to modelopt:mxfp4 -o "$W/m/mx" -q > /dev/null 2>&1; $Q pick "$W/m/mx" --hardware h100-80gb 2> /dev/null | grep -A2 "^refused\|CHK-SMALL"; $Q explain launch "$W/m/mx" --engine sglang | tail -1
