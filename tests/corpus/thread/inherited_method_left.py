# expect: TL301 TestLeaky::test_serve what=Base.work born=start
# why: an inherited test method; the subclass decides
# runner: sync
import threading


class Base:
    stops = True

    def work(self, stop: threading.Event) -> None:
        stop.wait()

    def test_serve(self) -> None:
        stop = threading.Event()
        threading.Thread(target=self.work, args=(stop,), daemon=True).start()  # born:start
        if self.stops:
            stop.set()


class TestLeaky(Base):
    stops = False


class TestTidy(Base):
    pass
