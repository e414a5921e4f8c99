"""Contact data of fictional households, from reserved ranges only: it reaches no real person.

Phones are 555-0100 to 555-0199, which the North American Numbering Plan reserves for fiction, in
area codes that have a place in the United States. Toll-free and premium codes are left out: there
the range is not reserved (800-555-0199 alone is). E-mail domains are RFC 2606's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

# Written out: a list from phonenumbers' data would give a household another number whenever that
# library learns of a new area code. All are in its version 9.0.0; codes are not withdrawn.
_AREAS: Final = """
201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 220 223 224 225 227 228 229
231 234 235 239 240 248 251 252 253 254 256 260 262 267 269 270 272 276 279 281 283 301 302 303
304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 321 323 325 326 327 329 330 331 332
334 336 337 339 341 346 347 350 351 352 360 361 363 364 369 380 385 386 401 402 404 405 406 407
408 409 410 412 413 414 415 417 419 423 424 425 430 432 434 435 440 442 443 445 447 448 458 463
464 469 470 475 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520
530 531 534 539 540 541 551 557 559 561 562 563 564 567 570 571 572 573 574 575 580 582 585 586
601 602 603 605 606 607 608 609 610 612 614 615 616 617 618 619 620 623 626 628 629 630 631 636
640 641 645 646 650 651 656 657 659 660 661 662 667 669 678 680 681 682 689 701 702 703 704 706
707 708 712 713 714 715 716 717 718 719 720 724 725 726 727 728 730 731 732 734 737 740 743 747
754 757 760 762 763 765 769 770 771 772 773 774 775 779 781 785 786 801 802 803 804 805 806 808
810 812 813 814 815 816 817 818 820 826 828 830 831 832 835 838 839 840 843 845 847 848 850 854
856 857 858 859 860 862 863 864 865 870 872 878 901 903 904 906 907 908 909 910 912 913 914 915
916 917 918 919 920 925 928 929 930 931 934 936 937 938 940 941 943 945 947 948 949 951 952 954
956 959 970 971 972 973 978 979 980 984 985 986 989
""".split()  # noqa: SIM905 - as a list the formatter would give every code a line

HOUSEHOLDS: Final = len(_AREAS) * 100
"""Households with a number of their own: 1 to 34,900."""

IMPOSSIBLE_PHONE: Final = "+15550100"
"""Looks like E.164, but is no number of any region: the area code is missing."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A household's contact data: `phone` is E.164."""

    name: str
    phone: str
    email: str


def contact(household: int) -> Contact:
    """Return a household's contact data: always the same, and shared with no other household.

    Raises ValueError outside 1 to `HOUSEHOLDS`.
    """
    if not 1 <= household <= HOUSEHOLDS:
        raise ValueError(f"expected a household from 1 to {HOUSEHOLDS}, there are no more numbers")
    line, area = divmod(household - 1, len(_AREAS))
    return Contact(
        name=f"Household {household}",
        phone=f"+1{_AREAS[area]}55501{line:02d}",
        email=f"household-{household}@example.com",
    )


def trait(household: int, name: str) -> float:
    """Return a constant in [0, 1), uniform over households and independent between names."""
    digest = hashlib.blake2b(f"{name}|{household}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48
