"""Ninety short names. Whoever takes a seat gets one of them, and is nobody else for the others."""

_ALL = (
    "Abe Ada Amy Ann Ari Asa Ava Axl Bea Ben Bix Bob Bud Cal Cam Cleo Cy Dag Dan Dax Deb Dot Ed Eli Ella Emy "
    "Eva Fay Fitz Flo Gia Gil Gus Guy Hal Ida Ike Ina Ira Ivy Jan Jay Jed Jim Joe Joy Kai Kay Ken Kim Kit Lea "
    "Lee Leo Lex Liv Lou Luz Mae Max Meg Mia Mo Nan Ned Nia Noa Obi Oz Pam Pax Peg Pia Quin Rae Ray Rex Rio "
    "Roy Sal Sky Sue Tad Taj Ted Tia Uma Val Vic Zoe"
)
NAMES = _ALL.split()
