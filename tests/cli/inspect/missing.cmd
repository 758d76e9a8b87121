$Q inspect "$W/nothing-here"
