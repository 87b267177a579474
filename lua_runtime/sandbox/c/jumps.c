/* The exception that LLVM makes of longjmp; the rest of its runtime is in the libc. */
__asm__(".globl __c_longjmp\n.tagtype __c_longjmp i32\n__c_longjmp:\n");
