printf "my-card\tgpu\t20000\t700\tfp16,int8\t86\t2026-01\tmeasured\n" > "$W/hw"; $Q plan llama-3-8b --hardware my-card --hardware-file "$W/hw" --formats awq,Q8_0
