// Linked statically, without a libc: it must never be started.
void _start(void) {
    __builtin_trap();
}
