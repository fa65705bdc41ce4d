//! Building blocks without domain words: button, money, address, status line.
