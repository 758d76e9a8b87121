printf "mycard\tgpu\tmuch\t900\tfp16\t86\t2026-11-01\tme\n" > "$W/hw"; $Q pick llama-3-8b --hardware mycard --hardware-file "$W/hw"
