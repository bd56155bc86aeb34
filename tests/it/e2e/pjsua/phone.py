"""A telephone on pjsua2, led from outside.

One JSON object as argument says who it is; one JSON object a line on standard input says what it does (`do`), and one a
line on standard output says what has happened (`event`). It knows nothing of what is tested.
"""

import json
import os
import select
import sys
import time

import pjsua2 as pj

OUT = os.dup(1)
os.dup2(2, 1)  # whatever the library prints must not mix with events


def tell(event, **more):
    os.write(OUT, (json.dumps({"event": event, "at": time.time(), **more}) + "\n").encode())


def closed(file):
    with open(file, "rb") as wav:
        return any(wav.read(44)[40:44])


STATES = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected",
}


class Call(pj.Call):
    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone, call_id)
        self.phone = phone
        self.audio = None

    def onCallState(self, prm):
        info = self.getInfo()
        state = STATES.get(info.state, str(info.state))
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.streams.pop(info.id, None)
            self.phone.gone.append(self.phone.calls.pop(info.id, None))
            if self.phone.current == info.id:
                self.phone.stop_recording()
                self.phone.current = None
        tell("state", call=info.id, state=state, code=info.lastStatusCode, reason=info.lastReason)

    def onCallMediaState(self, prm):
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            status = media.status
            if status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                self.audio = self.getAudioMedia(index)
                self.phone.join(self.audio)
            else:
                self.audio = None
            codec = ""
            secure = False
            try:
                stream = self.getStreamInfo(index)
                codec = f"{stream.codecName}/{stream.codecClockRate}"
                secure = bool(self.getMedTransportInfo(index).localRtpName) and self.phone.want.get("srtp", False)
            except pj.Error:
                pass
            tell("media", call=info.id, status=status, codec=codec, secure=secure)

    def onCallSdpCreated(self, prm):
        if self.phone.want.get("no_telephone_event"):
            lines = prm.sdp.wholeSdp.splitlines()
            dropped = {l.split(":")[1].split(" ")[0] for l in lines if "telephone-event" in l and l.startswith("a=rtpmap")}
            kept = []
            for line in lines:
                if line.startswith(("a=rtpmap:", "a=fmtp:")) and line.split(":")[1].split(" ")[0] in dropped:
                    continue
                if line.startswith("m=audio"):
                    line = " ".join(w for n, w in enumerate(line.split(" ")) if n < 3 or w not in dropped)
                kept.append(line)
            prm.sdp.wholeSdp = "\r\n".join(kept) + "\r\n"

    def onCallTransferStatus(self, prm):
        tell("transfer", code=prm.statusCode, final=prm.finalNotify)
        prm.cont = not prm.finalNotify

    def onDtmfDigit(self, prm):
        tell("dtmf", digit=prm.digit, method=prm.method)


class Phone(pj.Account):
    def __init__(self, want):
        super().__init__()
        self.want = want
        self.calls = {}
        self.gone = []
        self.streams = {}
        self.current = None
        self.player = None
        self.recorder = None
        self.file = None
        self.tones = None

    def onRegState(self, prm):
        info = self.getInfo()
        tell("registration", active=info.regIsActive, code=prm.code, reason=prm.reason)

    def onIncomingCall(self, prm):
        call = Call(self, prm.callId)
        info = call.getInfo()
        self.calls[info.id] = call
        self.current = info.id
        tell("incoming", call=info.id, remote=info.remoteUri, message=prm.rdata.wholeMsg)
        answer = self.want.get("answer")
        if answer:
            param = pj.CallOpParam()
            param.statusCode = answer
            call.answer(param)

    def join(self, audio):
        """The tone goes into the call; a recorder that runs hears the call."""
        if self.player:
            self.player.startTransmit(audio)
        if self.recorder:
            audio.startTransmit(self.recorder)

    def audio(self):
        return self.calls[self.current].audio

    def stop_recording(self):
        if self.recorder:
            self.recorder = None
            # The bridge closes the file in its own time; its length in the header says that it has.
            until = time.time() + 3
            while time.time() < until and not closed(self.file):
                time.sleep(0.005)
            tell("recorded")

    # What it can do. ------------------------------------------------------------------------------------------------

    def do_call(self, uri):
        call = Call(self)
        param = pj.CallOpParam(True)
        call.makeCall(uri, param)
        self.calls[call.getId()] = call
        self.current = call.getId()

    def do_answer(self, code=200):
        param = pj.CallOpParam()
        param.statusCode = code
        self.calls[self.current].answer(param)

    def do_hangup(self, code=0):
        param = pj.CallOpParam()
        param.statusCode = code
        self.calls[self.current].hangup(param)

    def do_hold(self):
        self.calls[self.current].setHold(pj.CallOpParam())

    def do_resume(self):
        param = pj.CallOpParam(True)
        param.opt.flag = pj.PJSUA_CALL_UNHOLD
        self.calls[self.current].reinvite(param)

    def do_transfer(self, uri):
        self.calls[self.current].xfer(uri, pj.CallOpParam())

    def do_reinvite(self):
        self.calls[self.current].reinvite(pj.CallOpParam(True))

    def do_update(self):
        self.calls[self.current].update(pj.CallOpParam(True))

    def do_dtmf(self, digits, method="event"):
        call = self.calls[self.current]
        if method == "inband":
            if not self.tones:
                self.tones = pj.ToneGenerator()
                self.tones.createToneGenerator(8000)
            if self.player:
                self.player.stopTransmit(call.audio)
            self.tones.startTransmit(call.audio)
            wave = pj.ToneDigitVector()
            for key in digits:
                digit = pj.ToneDigit()
                digit.digit, digit.on_msec, digit.off_msec, digit.volume = key, 100, 100, 8000
                wave.append(digit)
            self.tones.playDigits(wave)
            return
        param = pj.CallSendDtmfParam()
        param.digits = digits
        param.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if method == "info" else pj.PJSUA_DTMF_METHOD_RFC2833
        call.sendDtmf(param)

    def do_record(self, file):
        self.file = file
        self.recorder = pj.AudioMediaRecorder()
        self.recorder.createRecorder(file)
        if self.current is not None and self.audio():
            self.audio().startTransmit(self.recorder)
        tell("recording")

    def do_stop(self):
        self.stop_recording()

    def do_stats(self):
        stat = self.calls[self.current].getStreamStat(0)
        tell("stats", received=stat.rtcp.rxStat.pkt, lost=stat.rtcp.rxStat.loss, sent=stat.rtcp.txStat.pkt)

    def do_unregister(self):
        self.setRegistration(False)

    def do_register(self):
        self.setRegistration(True)


TRANSPORTS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS,
              "udp6": pj.PJSIP_TRANSPORT_UDP6, "tcp6": pj.PJSIP_TRANSPORT_TCP6}


def start(want):
    end = pj.Endpoint()
    end.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.maxCalls = 8
    config.medConfig.clockRate = want.get("rate", 8000)
    config.medConfig.sndClockRate = want.get("rate", 8000)
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    config.logConfig.filename = want["log"]
    config.logConfig.level = 4
    config.logConfig.consoleLevel = 0
    config.logConfig.msgLogging = 1
    end.libInit(config)
    transport = pj.TransportConfig()
    transport.boundAddress = want["bind"]
    transport.port = want.get("port", 5060)
    if want.get("public"):
        transport.publicAddress = want["public"]
    kind = want.get("transport", "udp")
    if kind == "tls":
        transport.tlsConfig.verifyServer = False
        transport.tlsConfig.certFile = want.get("certificate", "")
        transport.tlsConfig.privKeyFile = want.get("key", "")
        transport.tlsConfig.method = pj.PJSIP_TLSV1_2_METHOD
    number = end.transportCreate(TRANSPORTS[kind], transport)
    end.libStart()
    end.audDevManager().setNullDev()
    wanted = want.get("codecs", ["PCMA/8000"])
    for codec in end.codecEnum2():
        end.codecSetPriority(codec.codecId, 0)
    for rank, codec in enumerate(wanted):
        end.codecSetPriority(codec + "/1", 250 - rank)
    return end, number


def account(want, number):
    config = pj.AccountConfig()
    display = want.get("display")
    address = f"sip:{want['user']}@{want['domain']}"
    config.idUri = f'"{display}" <{address}>' if display else address
    secure = ";transport=" + want["transport"].rstrip("6") if want.get("transport", "udp") not in ("udp", "udp6") else ""
    if want.get("proxy"):
        config.sipConfig.proxies.append(f"sip:{want['proxy']};lr{secure}")
    config.sipConfig.transportId = number
    if want.get("register"):
        config.regConfig.registrarUri = f"sip:{want['domain']}{secure}"
        config.regConfig.timeoutSec = want.get("expires", 300)
        config.regConfig.retryIntervalSec = 0
        config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", want["user"], 0, want.get("password", "")))
    config.regConfig.unregWaitMsec = 500
    if want.get("naive"):
        # It knows nothing of the router before it.
        config.natConfig.contactRewriteUse = 0
        config.natConfig.viaRewriteUse = 0
        config.natConfig.sdpNatRewriteUse = 0
        config.natConfig.sipOutboundUse = 0
        config.natConfig.udpKaIntervalSec = 0
    media = config.mediaConfig
    media.transportConfig.boundAddress = want["bind"]
    if want.get("public"):
        media.transportConfig.publicAddress = want["public"]
    media.transportConfig.port = want.get("rtp_port", 4000)
    media.transportConfig.portRange = 200
    if want.get("ipv6"):
        config.mediaConfig.ipv6Use = pj.PJSUA_IPV6_ENABLED_PREFER_IPV6 if hasattr(pj, "PJSUA_IPV6_ENABLED_PREFER_IPV6") else 1
    if want.get("srtp"):
        media.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
        media.srtpSecureSignaling = 1 if want.get("transport") == "tls" else 0
        media.srtpOpt.keyings.append(pj.PJMEDIA_SRTP_KEYING_SDES)
    timer = want.get("session_expires")
    if timer:
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
        config.callConfig.timerSessExpiresSec = timer
        config.callConfig.timerMinSESec = min(timer, 90)
    phone = Phone(want)
    if want.get("tone"):
        phone.player = pj.AudioMediaPlayer()
        phone.player.createPlayer(want["tone"])
    phone.create(config, True)
    return phone


def main():
    want = json.loads(sys.argv[1])
    end, number = start(want)
    phone = account(want, number)
    tell("ready")
    rest = b""
    running = True
    orphaned = os.getppid()
    while running and os.getppid() == orphaned:
        end.libHandleEvents(10)
        if not select.select([0], [], [], 0)[0]:
            continue
        read = os.read(0, 65536)
        if not read:
            break
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            order = json.loads(line)
            what = order.pop("do")
            if what == "quit":
                running = False
                break
            try:
                getattr(phone, "do_" + what)(**order)
            except (pj.Error, KeyError, AttributeError) as error:
                tell("failed", what=what, why=str(getattr(error, "reason", repr(error))))
    tell("bye")
    # The library's orderly end takes a second and proves nothing.
    phone.stop_recording()
    os._exit(0)


main()
