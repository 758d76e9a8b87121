$Q quantize models/market "$W/out.gguf" Q4_K_M 2 -q | tail -n +2 && ls "$W"
