# the sampler repeats itself for one seed
a=$($Q run models/market -q --temperature 1.5 -s 7 -n 12 -p Hello); b=$($Q run models/market -q --temperature 1.5 -s 7 -n 12 -p Hello); [ "$a" = "$b" ] && echo same
