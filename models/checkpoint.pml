/*
 * checkpoint.pml: checkpoint slots and reuse (rules D4, R1, D7).
 *
 * What it shows. Commits go on and what they replace is reused while two checkpointers write slots; a checkpointer may
 * stop or be killed at any instruction. The kernel may write a page back at any time, and the power may fail at any
 * time, which may tear the slot that is being written back. Whatever is then on the disk:
 *   - the newest valid slot is not older than `durable`: what was promised is kept;
 *   - every block of that slot's commit is on the disk, and has not been reused, in memory or on the disk.
 *
 * Abstractions, and why they lose nothing:
 *   - Pinning and committing are single steps: pin.pml. Commit k replaces the block born at k - 2, so each commit
 *     reaches two blocks, born at k and k - 1, and a block born at b is visible to b and b + 1 alone.
 *   - A block that is given free counts as overwritten at once, in memory and on the disk; so blocks need no places.
 *   - A data flush promises only the blocks of its own commit, at its return; a slot's flush only that slot. Whether
 *     the kernel has written a page back is decided when that matters: when the page changes and when the power fails.
 *   - A claim word {number, claimant} is one word. When the claimant lets go, the number stays: a compare-and-swap that
 *     expects an older number fails, and a number above `durable` goes on protecting.
 *   - A failed flush (D5) ends all activity, which is a power cut here. One drainer stands for all: drainers only read
 *     what is shared, but for the blocks that are their own.
 */
#ifndef LAST_COMMIT
#define LAST_COMMIT 5           /* from 3 on; the first checkpoint is of 2 */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 3           /* tried, whoever tries them */
#endif

#define SLOTS 3                 /* the newest, and one for each checkpointer */

byte head = 3, durable = 2, tried;
byte pinned[2];                 /* the checkpointers' pins; others' are like them */
byte claimed[SLOTS];            /* CLAIM(number, claimant + 1), 0 for none */
byte page[SLOTS], disk[SLOTS];  /* the number in a slot, in memory and on the disk; 0: not valid */
bool dead[2];
chan kill[2] = [0] of { bit };
byte freed, on_disk;            /* not in the code: blocks by their birth */

#define CLAIM(number, who) ((number) | ((who) << 4))
#define NUMBER(claim) ((claim) & 15)
#define WHO(claim) ((claim) >> 4)
#define BIT(number) (1 << (number))
#define BLOCKS_OF(c) (3 << (c) >> 1)                    /* by their births: c and c - 1 */

/* A slot may be taken when its number is below durable (so it neither is the newest nor may become it) and nobody alive
 * may still write to it. The code reads the word, then durable, and tries a compare-and-swap: as long as the word stays,
 * what was true stays true, so that this is one step here. */
#ifdef MUTATION_LIVE_SLOT_REUSED
#define LET_GO(claim) true
#else
#define LET_GO(claim) (WHO(claim) == 0 || dead[WHO(claim) - 1])
#endif
#ifdef MUTATION_NEWEST_OVERWRITTEN
#define OLD(claim) true
#else
#define OLD(claim) (NUMBER(claim) < durable)
#endif

#define TAKE(i) :: LET_GO(claimed[i]) && OLD(claimed[i]) -> slot = i; claimed[i] = CLAIM(c, me + 1)
#define ADVANCE atomic { if :: durable < c -> durable = c :: else fi }

proctype checkpointer(byte me) {
    byte c, slot;
    {
        skip;
again:
        atomic { if :: tried < CHECKPOINTS -> tried++ :: else -> goto over fi; c = head; pinned[me] = c }
#ifndef MUTATION_DATA_AFTER_SLOT
        on_disk = on_disk | BLOCKS_OF(c);               /* flush the data */
#endif
#ifdef MUTATION_UNPINNED_BEFORE_CLAIM
        pinned[me] = 0;
#endif
        atomic { if TAKE(0) TAKE(1) TAKE(2) :: else -> goto refused fi }
        atomic { if :: disk[slot] = page[slot] :: true fi; page[slot] = c }
#ifdef MUTATION_DURABLE_BEFORE_FLUSH
        ADVANCE
#endif
        atomic {
            disk[slot] = page[slot];                    /* flush the slot */
            assert(disk[slot] == c)
        }
#ifdef MUTATION_DATA_AFTER_SLOT
        on_disk = on_disk | BLOCKS_OF(c);
#endif
#ifndef MUTATION_DURABLE_BEFORE_FLUSH
        ADVANCE
#endif
#ifdef MUTATION_NUMBER_DROPPED
        claimed[slot] = 0;
#else
        claimed[slot] = CLAIM(c, 0);
#endif
refused:
        atomic { pinned[me] = 0; c = 0; slot = 0; goto again }
over:
        skip
    } unless { atomic { kill[me]?1 -> dead[me] = true; c = 0; slot = 0 } }
}

/* Takes over the dead ones' pins; their claims stay. */
#ifdef MUTATION_DEAD_CLAIM_DROPPED
#define DROP(slot, who) if :: WHO(claimed[slot]) == who -> claimed[slot] = 0 :: else fi
#define DROP_CLAIMS(who) DROP(0, who); DROP(1, who); DROP(2, who)
#else
#define DROP_CLAIMS(who) skip
#endif
proctype adopter() {
end:
    do
    :: atomic { dead[0] && pinned[0] != 0 -> pinned[0] = 0; DROP_CLAIMS(1) }
    :: atomic { dead[1] && pinned[1] != 0 -> pinned[1] = 0; DROP_CLAIMS(2) }
    od
}

proctype committer() {
    do
    :: atomic { head < LAST_COMMIT -> head++ }
    :: head == LAST_COMMIT -> break
    od
}

/* R1, for all that had been replaced before the scan at once (the block born at b is, by b + 2). Freed at once: freed
 * later it does less harm. `may` is what may still be freed, `claims` the numbers claimed that are seen to need any of that. */
#define SCAN_PIN(i) atomic { may = may & ~BLOCKS_OF(pinned[i]); if :: may == 0 -> goto done :: else fi }
#define SCAN_CLAIM(i) atomic { \
    if :: BLOCKS_OF(NUMBER(claimed[i])) & may -> claims = claims | BIT(NUMBER(claimed[i])) :: else fi }
inline scan_pins() { SCAN_PIN(0); SCAN_PIN(1) }
inline scan_claims() { SCAN_CLAIM(0); SCAN_CLAIM(1); SCAN_CLAIM(2) }
#define SCAN_DURABLE atomic { d = durable; may = may & ~BLOCKS_OF(d); if :: may == 0 -> goto done :: else fi }

proctype drainer() {
    byte may, claims, d;
end:
    do
    :: atomic { (BIT(head - 1) - 2) & ~freed -> may = (BIT(head - 1) - 2) & ~freed }
#ifdef MUTATION_SLOTS_BEFORE_PINS
       scan_claims(); SCAN_DURABLE; scan_pins();
#else
       scan_pins();                                     /* first the pins, */
#ifdef VARIANT_DURABLE_BEFORE_CLAIMS
       SCAN_DURABLE; scan_claims();
#else
       scan_claims(); SCAN_DURABLE;                     /* then the claims and durable (which first does not matter) */
#endif
#endif
       atomic {
           claims = claims >> (d + 1) << (d + 1);       /* those above durable, */
           freed = freed | (may & ~(claims | (claims >> 1))) }  /* and their blocks */
done:  atomic { may = 0; claims = 0; d = 0 }
    od
}

/* The power fails. A slot is what the disk has or, if that differs from the page, the page or torn; the newest
 * valid slot  * wins. This changes nothing, so that it may happen in every state. */
#define READ_SLOT(slot) \
    if \
    :: true -> if :: disk[slot] > newest -> newest = disk[slot] :: else fi \
    :: disk[slot] != page[slot] -> if :: page[slot] > newest -> newest = page[slot] :: else fi \
    :: disk[slot] != page[slot]                 /* torn */ \
    fi
proctype power() {
    byte newest;
end:
    do
    :: atomic { true ->
           READ_SLOT(0); READ_SLOT(1); READ_SLOT(2);
           assert(newest >= durable);
           assert((BLOCKS_OF(newest) & ~on_disk) == 0);
           assert((BLOCKS_OF(newest) & freed) == 0);
           newest = 0 }
    od
}

#define KILL if :: kill[0]!1 :: kill[1]!1 fi
active proctype killer() {
    skip;
#if KILLS > 0
end1: KILL;
#endif
#if KILLS > 1
end2: KILL;
#endif
}

init {
    atomic {
        claimed[0] = CLAIM(2, 0); page[0] = 2; disk[0] = 2; on_disk = BLOCKS_OF(2);
        run checkpointer(0); run checkpointer(1); run committer(); run drainer(); run adopter(); run power()
    }
}
