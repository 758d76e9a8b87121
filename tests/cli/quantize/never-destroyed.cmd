# what --force would delete and is not ours, files of the source that links reach, two jobs on one name
cd "$W" && cp -r "$OLDPWD/tests/golden/zoo/qwen2" m && chmod -R u+w m
$Q quantize m --to bnb:int8 -o o -q > /dev/null
mv m/model.safetensors o/weights.bin; ln -s ../o/weights.bin m/model.safetensors
$Q quantize m --to bnb:int8 -o o -f -q 2>&1; echo "exit $?, $(ls o/weights.bin)"
rm m/model.safetensors; mv o/weights.bin m/model.safetensors
echo mine > o/NOTES.md; $Q quantize m --to bnb:int8 -o o -f -q 2>&1; echo "exit $?, $(cat o/NOTES.md)"
rm o/NOTES.md; mkdir o/adapter; $Q quantize m --to bnb:int8 -o o -f -q 2>&1; echo "exit $?, $(ls -d o/adapter)"
rmdir o/adapter; $Q quantize m --to bnb:int8 -o o -f -q > /dev/null; echo "exit $?"
mv o/quantz-manifest.json k; $Q quantize m --to bnb:int8 -o o -f -q 2>&1; echo "exit $?"
echo '{' > o/quantz-manifest.json; $Q quantize m --to bnb:int8 -o o -f -q 2>&1; echo "exit $?"; mv k o/quantz-manifest.json
exec 9> c.gguf.partial.lock; flock 9; $Q quantize m --to gguf:Q8_0 -o c.gguf -q 2>&1; echo "exit $?"
exec 9>&-; $Q quantize m --to gguf:Q8_0 -o c.gguf -q > /dev/null; echo "exit $?"
ls
