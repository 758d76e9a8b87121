/* Faults of FP8 and NVFP4 folders that 'convert --repair' mends: one finding a kind, the worst of it. */
#include "deploy/check_job.h"
#include "deploy/faults.h"
#include <stdio.h>
#include <string.h>

qz_status qz_check_faults(qz_check_job *j, bool measure, qz_error *err) {
    qz_mending m;
    qz_error e = {0};
    if (!j->folder) return QZ_OK;
    const qz_status st = qz_faults_find(j->run, j->path, measure, &m, &e);
    if (st == QZ_EMEMORY || st == QZ_EIO) return qz_fail(err, st, "%s", e.text);
    if (st != QZ_OK) return QZ_OK; /* what is wrong with the container is said elsewhere */
    for (int k = 0; k < QZ_FAULT_KINDS; k++) {
        const qz_fault *worst = NULL;
        size_t n = 0;
        char cost[96] = "";
        for (size_t i = 0; i < m.n_faults; i++) {
            const qz_fault *f = &m.faults[i];
            if ((int)f->kind != k) continue;
            n++;
            if (!worst || f->cost > worst->cost) worst = f;
        }
        if (!worst) continue;
        if (worst->cost >= 0 && worst->left >= 0)
            (void)snprintf(cost, sizeof cost, "; error of these weights %.3g %% (rms), mended %.3g %%",
                           100 * worst->cost, 100 * worst->left);
        char others[64] = "";
        if (n > 1 && k == QZ_FAULT_NAMES) (void)snprintf(others, sizeof others, "; and %zu more names", n - 1);
        else if (n > 1) (void)snprintf(others, sizeof others, "; the worst of %zu sets", n);
        qz_check_add(&j->f, qz_fault_info_of((qz_fault_kind)k)->code, worst->subject, "%s%s%s", worst->problem, cost,
                     others);
    }
    qz_mending_release(&m);
    return QZ_OK;
}
