"""The rules that need a history: how often, how soon and at whose cost a person is asked.

All functions are pure. A store keeps bytes for each *subject*; `LoadedContacts` holds what was read
of it, the functions decide and change it, and the store writes what changed, all or nothing:

    reserve(request, loaded, rules, now) → Decision    an invitation is due (`reserving`)
    seal(id, loaded, rules, now) → Decision            before the intent of its call (`sealing`)
    hold_sealed(request, loaded, rules, now)           in flight, when a store lost its memory
    settle(change, loaded, rules)                      a result, suppression, answer (`settling`)
    check_rules(request, loaded, rules, now)           each rule's state, for `explain`

Rules, in the order in which they are asked: `Duplicates`, suppressions, `ContactRule` (one that
counts responses is a cooldown), `Pace`. `ContactRules` is the table of all of a config. A subject
is a pseudonym of a person, or a name composed of other keys (`subjects`).
"""
