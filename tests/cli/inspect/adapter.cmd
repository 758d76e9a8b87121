# An adapter is no model: its folder and its GGUF file say so, and where it goes
a=tests/golden/lora/llama-plain
for v in inspect verify check; do $Q $v $a 2>&1 | grep -E 'LoRA adapter' | head -1; done
$Q inspect $a/adapter.f32.gguf 2>&1 | grep -E -A2 'runs'
$Q verify $a/adapter.f32.gguf 2>&1 | grep -E -A2 'structure'
# merged into a folder of the base: its lock is no file of the base
cp -r tests/golden/zoo/llama "$W/base"; $Q merge "$W/base" $a -o "$W/base/out" > /dev/null 2>&1; ls -a "$W/base/out" | grep -c lock
$Q plan $a
