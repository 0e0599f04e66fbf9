"""Wrong input to every public function: an error that says what is wrong, and nothing changed."""
