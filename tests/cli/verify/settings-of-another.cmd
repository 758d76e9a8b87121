# bits and groups that the stored tensors do not have: what was expected and what was found
for k in 's/"bits": 4/"bits": 8/' 's/"group_size": 32/"group_size": 64/'; do rm -rf "$W/m"; cp -r tests/golden/cases/33-gptq-flags-against-data/g_idx-zero "$W/m"; chmod -R u+w "$W/m"; sed -i "$k" "$W/m/config.json"; $Q verify "$W/m" 2> /dev/null | grep structure; done
