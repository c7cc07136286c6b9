/* sched_setattr(2): sched_runtime of an ordinary thread is the length of its turns. */
#include "apps/turns.h"

#include <sched.h>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>

/* As in sched_setattr(2), first version. The kernel's own header defines sched_param as sched.h does, and cannot be had beside it. */
struct sched_attr {
    uint32_t size, sched_policy;
    uint64_t sched_flags;
    int32_t sched_nice;
    uint32_t sched_priority;
    uint64_t sched_runtime, sched_deadline, sched_period;
};

void app_turns_set(uint64_t turn_ns)
{
    struct sched_attr attr = {0};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0 || attr.sched_policy != SCHED_OTHER)
        return; /* somebody chose another policy for it */
    attr.sched_runtime = turn_ns;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0); /* where it is refused, everything is slower and nothing else */
}
#else
void app_turns_set(uint64_t turn_ns)
{
    (void)turn_ns;
}
#endif
