$Q; code=$?; echo "exit was $code"; exit 0
