$Q check "$W/none"
