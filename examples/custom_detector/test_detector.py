from connections import Connections

from pytest_taskleak.testing import check_detector


def test_the_detector_itself():
    check_detector(Connections())
