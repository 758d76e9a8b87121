# U-05: group 128 does not divide over two cards
$Q pick qwen2.5-72b --hardware h100-80gb --tp 2 | head -8
