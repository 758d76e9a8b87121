# a module that the configuration names and no tensor is of: counted; nothing written in a dry run
cp -r tests/golden/lora/llama-plain "$W/a"; sed -i 's/"down_proj",/"down_proj", "gate_up_proj", "lm_head",/' "$W/a/adapter_config.json"
$Q merge tests/golden/zoo/llama "$W/a" -o "$W/out" -n; ls "$W"
