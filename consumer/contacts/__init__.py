"""The contact book: who was asked when, by reservations, results and suppressions, over a store.

`book` decides by `consumer.policy.contacts`. `store` is what a store must do; `memory`, `sqlite`
and `valkey` are stores. Threads that feed the book belong to `consumer.runtime`.
"""
