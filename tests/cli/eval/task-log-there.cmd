touch "$W/log"; $Q eval models/market --tasks models/market/tasks.jsonl --task-log "$W/log"
