// Sends a frame of the camera, and the next one when its translation is there.
// 
// props.value, to the server: a frame as a JPEG's data URI; the event `input` says that there is a new one.
// props.answer, from the server: {picture: a data URI} or {problem: a sentence}.
const stage = element.querySelector('.live'), shown = stage.querySelector('img'), video = stage.querySelector('video');
const words = stage.querySelector('.words'), rate = stage.querySelector('.rate');
const frame = document.createElement('canvas');
let camera = null, times = [], watchdog = null;

const send = () => {
  if (!camera) return;
  if (!stage.offsetParent) return end();  // another tab was opened
  const scale = Math.min(1, Number(stage.dataset.longest) / Math.max(video.videoWidth, video.videoHeight));
  frame.width = Math.round(video.videoWidth * scale);
  frame.height = Math.round(video.videoHeight * scale);
  const pen = frame.getContext('2d');
  if (stage.classList.contains('mirrored')) pen.setTransform(-1, 0, 0, 1, frame.width, 0);
  pen.drawImage(video, 0, 0, frame.width, frame.height);
  props.value = frame.toDataURL('image/jpeg', 0.85);
  trigger('input');
  clearTimeout(watchdog);
  watchdog = setTimeout(send, 8000);  // an answer may get lost; the picture shall go on
};
const end = sentence => {
  clearTimeout(watchdog);
  camera?.getTracks().forEach(track => track.stop());
  camera = video.srcObject = null;
  stage.classList.remove('on');
  if (sentence) words.textContent = sentence;
};
const start = async () => {
  try {
    camera = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 640}, height: {ideal: 480}}});
    video.srcObject = camera;
    stage.classList.toggle('mirrored', camera.getVideoTracks()[0].getSettings().facingMode !== 'environment');
    await video.play();
  } catch (error) {
    const reasons = {
      NotAllowedError: 'The browser was not allowed to use the camera; allow it beside the address, and try again.',
      NotFoundError: 'No camera was found; connect one, and try again.',
      NotReadableError: 'The camera is in use by another program; close that, and try again.',
    };
    const far = 'Browsers only lend the camera to pages of this computer or with https.';
    return end(navigator.mediaDevices ? reasons[error.name] ?? 'The camera does not answer; try again.' : far);
  }
  times = [];
  rate.textContent = 'Getting ready …';
  shown.removeAttribute('src');
  stage.classList.add('on');
  send();
};

watch('answer', () => {
  const {picture, problem} = props.answer;
  if (!camera) return;
  if (problem) return end(problem);
  shown.src = picture;
  const now = performance.now();
  times = [...times.filter(time => now - time < 3000), now];
  if (times.length > 1) {
    const each = (times.length - 1) * 1000 / (now - times[0]);
    rate.textContent = `${each < 10 ? each.toFixed(1) : Math.round(each)} frames/s`;
  }
  requestAnimationFrame(send);
});
stage.querySelector('.start button').addEventListener('click', start);
stage.querySelector('.end').addEventListener('click', () => end());
