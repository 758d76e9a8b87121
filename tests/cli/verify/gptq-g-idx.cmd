# g_idx of zeros beside desc_act false (exllama#44)
$Q verify tests/golden/cases/33-gptq-flags-against-data/g_idx-zero
