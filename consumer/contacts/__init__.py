"""The contact book: when each person was asked, by reservations, results and suppressions.

`book` decides by `consumer.policy.contacts`. `store` is what a store must do; `memory`, `sqlite`
and `valkey` are stores. Threads that feed the book belong to `consumer.runtime`.
"""
