mkdir "$W/m"; $Q check "$W/m"
