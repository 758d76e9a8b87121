mkdir "$W/m"; cp tests/golden/cases/text-model/* tests/golden/cases/20-template-filters-none/* "$W/m"; $Q run "$W/m" -p hi -n 2 -q
