# what does not fit is refused, training too, with what comes nearest and the check that says the same
for ask in 'llama-3-70b --workload training --hardware rtx-4060' 'llama-3-70b --users 128 --ctx 2048 --hardware h100-80gb'; do
  $Q pick $ask 2> /dev/null | grep -A4 -E '^(refused|nearest|error|commands)'; $Q pick $ask > /dev/null 2>&1 || echo "pick $?"; done; $Q pick llama-3-70b --workload training --hardware rtx-4060 > /dev/null
