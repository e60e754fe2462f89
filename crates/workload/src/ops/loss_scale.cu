// Moves the loss scale: the twin of loss_scale.rs. One thread.
#include "numeric.cuh"

struct UpdateLossScaleArguments {
    const unsigned *found; // NaN, infinite
    float *state;          // the scale, and the number of good steps in a row
    int interval, padding;
};
ASSERT_SIZE(UpdateLossScaleArguments, 24);
ASSERT_OFFSET(UpdateLossScaleArguments, found, 0);
ASSERT_OFFSET(UpdateLossScaleArguments, state, 8);
ASSERT_OFFSET(UpdateLossScaleArguments, interval, 16);
ASSERT_OFFSET(UpdateLossScaleArguments, padding, 20);

extern "C" __global__ void update_loss_scale(const __grid_constant__ UpdateLossScaleArguments p) {
    if (p.found[0] | p.found[1]) {
        p.state[0] /= 2.0f;
        p.state[1] = 0.0f;
    } else if (++p.state[1] == (float)p.interval) {
        p.state[0] *= 2.0f;
        p.state[1] = 0.0f;
    }
}
