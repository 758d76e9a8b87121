printf "# mine\nmy-card\tgpu\t24GB\t700\tfp16\t86\t2026-01\tmeasured\n" > "$W/hw"; $Q plan llama-3-8b --hardware-file "$W/hw"
