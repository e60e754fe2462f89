// Every kernel in one translation unit: one module, loaded once.
#include "adam.cu"
#include "gru.cu"
#include "matmul.cu"
#include "readout.cu"
#include "sense.cu"
#include "turn.cu"
