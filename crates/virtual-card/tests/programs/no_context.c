// Finds that the card has no room for a context.
#include "card.h"

int main(void) {
    Handle context;
    must(cuInit(0));
    answers(OUT_OF_MEMORY, cuDevicePrimaryCtxRetain(&context, 0));
}
