# a family without a size names its sizes; one that this program does not run has no job
echo '{"model_type":"hunyuan_v1_dense","vocab_size":256,"hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4}' > "$W/c.json"; $Q plan qwen3.5 2>&1; $Q plan "$W/c.json" --job --disk 100GB
