# nothing to repair: said, exit 0, nothing written
. tests/cli/convert/faulty.sh; make_folder fp8:block "$W/m"; $Q convert "$W/m" --repair -o "$W/out"; echo $?; $Q convert models/market --repair -o "$W/out"; echo $?; $Q convert "$W/m" --repair --json -o "$W/out" -n; ls "$W"
