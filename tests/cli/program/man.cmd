# the man page is made of the option rows and is clean for the formatter
$Q --man > "$W/quantz.1" && grep -c "^\.SS quantz" "$W/quantz.1" && grep "samples" "$W/quantz.1" | head -2
