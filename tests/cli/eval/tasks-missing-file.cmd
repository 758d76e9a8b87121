timeout 3 $Q eval models/market --text models/market/eval.jsonl --tasks "$W/nope.jsonl"
