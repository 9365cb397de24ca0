from hrl_core.fault import fault_sentence


def test_a_fault_is_said_with_what_failed_and_where():
    sentence = ""
    try:
        _ = {}["scan"]
    except KeyError as error:
        sentence = fault_sentence("walk, control step", error)
    assert sentence.startswith("a fault in the program: walk, control step failed at test_fault.py")
    assert "line 7 by KeyError ('scan')" in sentence
