# the kernel of the experts is named, not that of a dense layer that is not there
for m in mixtral qwen3_moe; do $Q bench tests/golden/zoo/$m --repeats 1 --window 16 --cpu ref -q --json | grep -o "\"kernel\":\"[^\"]*\""; done
