# nothing near: no name is offered; a letter or two off: it is
for w in U-12 C-140 xyzzy CHK-KVX "zero pint"; do $Q explain "$w" 2>&1 | grep -oE "nothing known about '[^']*'(: nearest is '[^']*')?"; done; $Q explain U-12
