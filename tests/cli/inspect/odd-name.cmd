# a tensor name with a line break and an escape: still one line
mkdir "$W/m"; { printf '\x48\0\0\0\0\0\0\0'; printf '%-72s' '{"a\n\u001b[31mb":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'; printf '\0\0\0\0'; } > "$W/m/model.safetensors"; $Q inspect "$W/m"
