/* Fuzz target of calibration statistics: every group of an accepted file lies inside it. */
#include <stdlib.h>
#include "calibrate/stats.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static float w[1 << 12];
    char path[64];
    qz_stats s = {0};
    qz_error err = {0};
    int fd = fuzz_file(data, size, path);
    if (qz_stats_open(&s, path, &err) == QZ_OK) {
        volatile float sink = 0;
        for (size_t l = 0; l <= s.info.in.layers; l++)
            for (size_t i = 0; i < qz_inputs(&s.info.in, l); i++) {
                qz_input_stats in = qz_stats_get(&s, l, i);
                if (in.cols == 0) abort();
                sink = in.mean_abs[in.cols - 1] + in.max_abs[in.cols - 1] + in.gram[in.cols * (in.cols + 1) / 2 - 1];
                if (in.cols <= sizeof w / sizeof w[0]) qz_stats_importance(&in, w);
            }
        (void)sink;
        qz_stats_release(&s);
    } else if (!err.text[0]) {
        abort(); /* every refusal has words */
    }
    close(fd);
    return 0;
}
